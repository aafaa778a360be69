"""Llama and today's networks laid out like it: RMSNorm and a gated MLP, `act(gate) * up`."""

from dataclasses import replace

from neuronscope.models.families.family import Family

LLAMA = Family(
    name="llama",
    model_types=("llama", "mistral", "ministral", "qwen2", "qwen3", "granite", "smollm3"),
    blocks="layers",
    down="mlp.down_proj",
    up="mlp.up_proj",
    activation="mlp.act_fn",
    attention_out="self_attn.o_proj",
    embedding="embed_tokens",
    norm="RMSNorm",
    gate="mlp.gate_proj",
    mlp_norm=("post_attention_layernorm",),
    final_norm="norm",
)
GEMMA = replace(LLAMA, name="gemma", model_types=("gemma",), gain_offset=1.0)
GEMMA2 = replace(
    GEMMA,
    name="gemma2",
    model_types=("gemma2", "gemma3_text"),
    mlp_norm=("pre_feedforward_layernorm",),
    mlp_out_norm="post_feedforward_layernorm",
)
OLMO2 = replace(
    LLAMA,
    name="olmo2",
    model_types=("olmo2", "olmo3", "exaone4"),
    mlp_norm=(),
    mlp_out_norm="post_feedforward_layernorm",
)
OLMO = replace(LLAMA, name="olmo", model_types=("olmo",), norm="LayerNorm")
STABLELM = replace(
    OLMO,
    name="stablelm",
    model_types=("stablelm",),
    mlp_norm=("post_attention_layernorm", "input_layernorm"),
)
COHERE = replace(OLMO, name="cohere", model_types=("cohere", "cohere2"), mlp_norm=("input_layernorm",))
FUSED = replace(
    LLAMA,
    name="phi3",
    model_types=("phi3", "glm"),
    up="mlp.gate_up_proj",
    gate="mlp.gate_up_proj",
    fused=True,
    activation="mlp.activation_fn",
)
GLM4 = replace(FUSED, name="glm4", model_types=("glm4",), mlp_out_norm="post_mlp_layernorm")
UNGATED = replace(OLMO, name="nemotron", model_types=("nemotron",), gate=None, gain_offset=1.0)
STARCODER2 = replace(
    OLMO,
    name="starcoder2",
    model_types=("starcoder2",),
    gate=None,
    down="mlp.c_proj",
    up="mlp.c_fc",
    activation="mlp.act",
)
PHI = replace(
    OLMO,
    name="phi",
    model_types=("phi",),
    gate=None,
    down="mlp.fc2",
    up="mlp.fc1",
    activation="mlp.activation_fn",
    attention_out="self_attn.dense",
    mlp_norm=("input_layernorm",),
    final_norm="final_layernorm",
)
