"""What the AWS half needs before it begins: rights, quotas, names. None of it changes anything."""
