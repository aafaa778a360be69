"""GPT-2 and the networks laid out like it: LayerNorm and an ungated MLP."""

from dataclasses import replace

from neuronscope.models.families.family import Family

GPT2 = Family(
    name="gpt2",
    model_types=("gpt2", "gpt_bigcode"),
    blocks="h",
    down="mlp.c_proj",
    up="mlp.c_fc",
    activation="mlp.act",
    attention_out="attn.c_proj",
    embedding="wte",
    norm="LayerNorm",
    mlp_norm=("ln_2",),
    final_norm="ln_f",
)
GPT_NEO = replace(GPT2, name="gpt_neo", model_types=("gpt_neo",), attention_out="attn.attention.out_proj")
GPT_J = replace(
    GPT2,
    name="gptj",
    model_types=("gptj", "codegen"),
    down="mlp.fc_out",
    up="mlp.fc_in",
    attention_out="attn.out_proj",
    mlp_norm=("ln_1",),  # attention and MLP read the same norm, side by side
)
