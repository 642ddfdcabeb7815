"""The models of OpenAI and of Amazon Bedrock that LiteLLM has a price for: what ``azure_models`` is for Azure OpenAI.

From the same price map. A model at another address with OpenAI's API is priced by its name, too. An inference
profile that is not listed has the price of the model it is named after (``us.`` and the like before the model's id).
"""

from __future__ import annotations

_OPENAI = """
    babbage-002 chat-latest computer-use-preview computer-use-preview-2025-03-11 davinci-002 daybreak-blue-latest
    daybreak-red-latest ft:babbage-002 ft:davinci-002 ft:gpt-3.5-turbo ft:gpt-3.5-turbo-0125 ft:gpt-3.5-turbo-0613
    ft:gpt-3.5-turbo-1106 ft:gpt-4-0613 ft:gpt-4.1-2025-04-14 ft:gpt-4.1-mini-2025-04-14 ft:gpt-4.1-nano-2025-04-14
    ft:gpt-4o-2024-08-06 ft:gpt-4o-2024-11-20 ft:gpt-4o-mini-2024-07-18 ft:o4-mini-2025-04-16 gpt-3.5-turbo gpt-3.5-turbo-0125
    gpt-3.5-turbo-1106 gpt-3.5-turbo-16k gpt-3.5-turbo-instruct gpt-3.5-turbo-instruct-0914 gpt-4 gpt-4-0613 gpt-4-1106-preview
    gpt-4-turbo gpt-4-turbo-2024-04-09 gpt-4.1 gpt-4.1-2025-04-14 gpt-4.1-mini gpt-4.1-mini-2025-04-14 gpt-4.1-nano
    gpt-4.1-nano-2025-04-14 gpt-4o gpt-4o-2024-05-13 gpt-4o-2024-08-06 gpt-4o-2024-11-20 gpt-4o-audio-preview-2024-12-17
    gpt-4o-audio-preview-2025-06-03 gpt-4o-mini gpt-4o-mini-2024-07-18 gpt-4o-mini-audio-preview-2024-12-17
    gpt-4o-mini-search-preview gpt-4o-mini-search-preview-2025-03-11 gpt-4o-search-preview gpt-4o-search-preview-2025-03-11
    gpt-5 gpt-5-2025-08-07 gpt-5-chat gpt-5-chat-latest gpt-5-codex gpt-5-mini gpt-5-mini-2025-08-07 gpt-5-nano
    gpt-5-nano-2025-08-07 gpt-5-pro gpt-5-pro-2025-10-06 gpt-5-search-api gpt-5-search-api-2025-10-14 gpt-5.1 gpt-5.1-2025-11-13
    gpt-5.1-chat-latest gpt-5.1-codex gpt-5.1-codex-max gpt-5.1-codex-mini gpt-5.2 gpt-5.2-2025-12-11 gpt-5.2-chat-latest
    gpt-5.2-codex gpt-5.2-pro gpt-5.2-pro-2025-12-11 gpt-5.3-chat-latest gpt-5.3-codex gpt-5.4 gpt-5.4-2026-03-05 gpt-5.4-mini
    gpt-5.4-mini-2026-03-17 gpt-5.4-nano gpt-5.4-nano-2026-03-17 gpt-5.4-pro gpt-5.4-pro-2026-03-05 gpt-5.5 gpt-5.5-2026-04-23
    gpt-5.5-cyber gpt-5.5-cyber-preview gpt-5.5-pro gpt-5.5-pro-2026-04-23 gpt-5.6 gpt-5.6-cyber gpt-5.6-luna gpt-5.6-sol
    gpt-5.6-terra gpt-6-astra gpt-6-luna gpt-6-sol gpt-6.1-sol gpt-audio gpt-audio-1.5 gpt-audio-2025-08-28 gpt-audio-mini
    gpt-audio-mini-2025-10-06 gpt-audio-mini-2025-12-15 gpt-daybreak-blue-latest gpt-daybreak-red-latest gpt-rosalind-discovery
    gpt-rosalind-research o1 o1-2024-12-17 o1-pro o1-pro-2025-03-19 o3 o3-2025-04-16 o3-deep-research
    o3-deep-research-2025-06-26 o3-mini o3-mini-2025-01-31 o3-pro o3-pro-2025-06-10 o4-mini o4-mini-2025-04-16
    o4-mini-deep-research o4-mini-deep-research-2025-06-26 text-embedding-3-large text-embedding-3-small text-embedding-ada-002
    text-embedding-ada-002-v2
"""
_BEDROCK = """
    ai21.j2-mid-v1 ai21.j2-ultra-v1 ai21.jamba-1-5-large-v1:0 ai21.jamba-1-5-mini-v1:0 ai21.jamba-instruct-v1:0
    amazon.nova-2-lite-v1:0 amazon.nova-2-multimodal-embeddings-v1:0 amazon.nova-2-pro-preview-20251202-v1:0
    amazon.nova-lite-v1:0 amazon.nova-micro-v1:0 amazon.nova-premier-v1:0 amazon.nova-pro-v1:0 amazon.titan-embed-g1-text-02
    amazon.titan-embed-image-v1 amazon.titan-embed-text-v1 amazon.titan-embed-text-v2:0 amazon.titan-text-express-v1
    amazon.titan-text-lite-v1 amazon.titan-text-premier-v1:0 anthropic.claude-3-5-haiku-20241022-v1:0
    anthropic.claude-3-5-sonnet-20240620-v1:0 anthropic.claude-3-5-sonnet-20241022-v2:0
    anthropic.claude-3-7-sonnet-20240620-v1:0 anthropic.claude-3-7-sonnet-20250219-v1:0 anthropic.claude-3-opus-20240229-v1:0
    anthropic.claude-fable-5 anthropic.claude-fable-5-1 anthropic.claude-haiku-4-5-20251001-v1:0 anthropic.claude-haiku-5-5
    anthropic.claude-instant-v1 anthropic.claude-mythos-5-1 anthropic.claude-mythos-preview
    anthropic.claude-opus-4-1-20250805-v1:0 anthropic.claude-opus-4-20250514-v1:0 anthropic.claude-opus-4-5-20251101-v1:0
    anthropic.claude-opus-4-6-v1 anthropic.claude-opus-4-7 anthropic.claude-opus-4-8 anthropic.claude-opus-5
    anthropic.claude-opus-5-5 anthropic.claude-sonnet-4-20250514-v1:0 anthropic.claude-sonnet-4-5-20250929-v1:0
    anthropic.claude-sonnet-4-6 anthropic.claude-sonnet-5 anthropic.claude-sonnet-5-5 anthropic.claude-v1 anthropic.claude-v2:1
    cohere.command-light-text-v14 cohere.command-text-v14 cohere.embed-english-v3 cohere.embed-multilingual-v3 cohere.embed-v4:0
    deepseek.r1-v1:0 deepseek.v3-v1:0 deepseek.v3.2 global.openai.gpt-5.4 global.openai.gpt-5.5 global.openai.gpt-5.6-luna
    global.openai.gpt-5.6-sol global.openai.gpt-5.6-terra global.openai.gpt-6-astra global.openai.gpt-6.1-sol
    global.xai.grok-4.6 global.xai.grok-4.7 global.zai.glm-5.3 google.gemma-3-12b-it google.gemma-3-27b-it google.gemma-3-4b-it
    meta.llama2-13b-chat-v1 meta.llama2-70b-chat-v1 meta.llama3-1-405b-instruct-v1:0 meta.llama3-1-70b-instruct-v1:0
    meta.llama3-1-8b-instruct-v1:0 meta.llama3-2-11b-instruct-v1:0 meta.llama3-2-1b-instruct-v1:0 meta.llama3-2-3b-instruct-v1:0
    meta.llama3-2-90b-instruct-v1:0 meta.llama3-3-70b-instruct-v1:0 meta.llama3-70b-instruct-v1:0 meta.llama3-8b-instruct-v1:0
    meta.llama4-maverick-17b-instruct-v1:0 meta.llama4-scout-17b-instruct-v1:0 minimax.minimax-m2 minimax.minimax-m2.1
    minimax.minimax-m2.5 mistral.devstral-2-123b mistral.magistral-small-2509 mistral.ministral-3-14b-instruct
    mistral.ministral-3-3b-instruct mistral.ministral-3-8b-instruct mistral.mistral-7b-instruct-v0:2
    mistral.mistral-large-2402-v1:0 mistral.mistral-large-2407-v1:0 mistral.mistral-large-3-675b-instruct
    mistral.mistral-small-2402-v1:0 mistral.mixtral-8x7b-instruct-v0:1 mistral.pixtral-large-2502-v1:0
    mistral.voxtral-mini-3b-2507 mistral.voxtral-small-24b-2507 moonshot.kimi-k2-thinking moonshotai.kimi-k2.5
    moonshotai.kimi-k3 nvidia.nemotron-nano-12b-v2 nvidia.nemotron-nano-3-30b nvidia.nemotron-nano-9b-v2
    nvidia.nemotron-super-3-120b openai.gpt-6-luna openai.gpt-6-sol openai.gpt-oss-120b-1:0 openai.gpt-oss-20b-1:0
    openai.gpt-oss-safeguard-120b openai.gpt-oss-safeguard-20b qwen.qwen3-235b-a22b-2507-v1:0 qwen.qwen3-32b-v1:0
    qwen.qwen3-coder-30b-a3b-v1:0 qwen.qwen3-coder-480b-a35b-v1:0 qwen.qwen3-coder-next qwen.qwen3-next-80b-a3b
    qwen.qwen3-vl-235b-a22b twelvelabs.pegasus-1-2-v1:0 twelvelabs.pegasus-1-5-v1:0 us-gov.xai.grok-4.6
    us.anthropic.claude-mythos-5 us.openai.gpt-5.4 us.openai.gpt-5.5 us.openai.gpt-5.6-luna us.openai.gpt-5.6-sol
    us.openai.gpt-5.6-terra us.openai.gpt-6-astra us.openai.gpt-6.1-sol us.xai.grok-4.6 us.xai.grok-4.7 us.zai.glm-5.3
    writer.palmyra-vision-7b writer.palmyra-x4-v1:0 writer.palmyra-x5-v1:0 zai.glm-4.7 zai.glm-4.7-flash zai.glm-5
"""
OPENAI = frozenset(_OPENAI.split())
"""As OpenAI names them."""
BEDROCK = frozenset(_BEDROCK.split())
"""Ids of foundation models, and of the inference profiles that have a price of their own."""
