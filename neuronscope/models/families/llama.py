"""Llama: RMSNorm and a gated MLP, `act(gate) * up`."""

from neuronscope.models.families.family import Family

LLAMA = Family(
    name="llama",
    model_types=("llama",),
    blocks="layers",
    down="mlp.down_proj",
    up="mlp.up_proj",
    gate="mlp.gate_proj",
    activation="mlp.act_fn",
    attention_out="self_attn.o_proj",
    mlp_norm="post_attention_layernorm",
    final_norm="norm",
    embedding="embed_tokens",
    norm="RMSNorm",
)
