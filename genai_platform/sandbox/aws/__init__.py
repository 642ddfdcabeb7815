"""The AWS of the sandbox: moto in one process, with its gaps filled and its credentials and policies taken seriously."""
