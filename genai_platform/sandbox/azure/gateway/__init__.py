"""The gateway of API Management in the sandbox: it executes the very policy document that was deployed.

``program`` reads a document and refuses, at deployment, every element, attribute and expression it does not know.
``expressions`` evaluates the closed list of forms, ``tokens`` checks JSON Web Tokens, ``execute`` runs the sections, and
``server`` is the HTTPS front.
"""
