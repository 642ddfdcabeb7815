"""``azure.openai``: the account of Azure OpenAI and its deployments, made where they do not exist."""
