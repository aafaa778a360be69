"""GPT-2: LayerNorm, an ungated MLP, weights held as [in, out] in `Conv1D`."""

from neuronscope.models.families.family import Family

GPT2 = Family(
    name="gpt2",
    model_types=("gpt2",),
    blocks="h",
    down="mlp.c_proj",
    up="mlp.c_fc",
    gate=None,
    activation="mlp.act",
    attention_out="attn.c_proj",
    mlp_norm="ln_2",
    final_norm="ln_f",
    embedding="wte",
    norm="LayerNorm",
)
