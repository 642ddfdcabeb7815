"""Amazon Bedrock: the models of each region, who may invoke them, and what they answer.

``bedrock`` and ``bedrock-runtime`` sign as the same service and share no path, so they share an address here.
"""
