"""GPT-NeoX (Pythia), BLOOM, Falcon, MPT and OPT: LayerNorm and an ungated MLP, each with names of its own."""

from dataclasses import replace

from neuronscope.models.families.family import Family

GPT_NEOX = Family(
    name="gpt_neox",
    model_types=("gpt_neox",),
    blocks="layers",
    down="mlp.dense_4h_to_h",
    up="mlp.dense_h_to_4h",
    activation="mlp.act",
    attention_out="attention.dense",
    embedding="embed_in",
    norm="LayerNorm",
    mlp_norm=("post_attention_layernorm",),
    final_norm="final_layer_norm",
)
BLOOM = replace(
    GPT_NEOX,
    name="bloom",
    model_types=("bloom",),
    blocks="h",
    activation="mlp.gelu_impl",
    attention_out="self_attention.dense",
    embedding="word_embeddings",
    final_norm="ln_f",
    trained_context=2048,
)
FALCON = replace(
    GPT_NEOX,
    name="falcon",
    model_types=("falcon",),
    blocks="h",
    attention_out="self_attention.dense",
    embedding="word_embeddings",
    # Two norms side by side, one after the attention, or one that both read.
    mlp_norm=("ln_mlp", "post_attention_layernorm", "input_layernorm"),
    final_norm="ln_f",
)
MPT = Family(
    name="mpt",
    model_types=("mpt",),
    blocks="blocks",
    down="ffn.down_proj",
    up="ffn.up_proj",
    activation="ffn.act",
    attention_out="attn.out_proj",
    embedding="wte",
    norm="LayerNorm",
    mlp_norm=("norm_2",),
    final_norm="norm_f",
)
OPT = Family(
    name="opt",
    model_types=("opt",),
    blocks="decoder.layers",
    down="fc2",
    up="fc1",
    activation="activation_fn",
    attention_out="self_attn.out_proj",
    embedding="decoder.embed_tokens",
    norm="LayerNorm",
    mlp_norm=("final_layer_norm",),
    final_norm="decoder.final_layer_norm",
    applies=lambda config: config.do_layer_norm_before and config.word_embed_proj_dim == config.hidden_size,
)
