"""BERT and other encoders: every token sees the whole text, and no next token is predicted."""

from dataclasses import replace

from neuronscope.models.families.family import Family

BERT = Family(
    name="bert",
    model_types=("bert", "electra", "deberta-v2"),
    blocks="encoder.layer",
    down="output.dense",
    up="intermediate.dense",
    activation="intermediate.intermediate_act_fn",
    attention_out="attention.output.dense",
    embedding="embeddings.word_embeddings",
    embedding_projection="embeddings_project",
    norm="LayerNorm",
    head="masked",
)
ROBERTA = replace(
    BERT,
    name="roberta",
    model_types=("roberta", "xlm-roberta", "camembert"),
    position_offset=2,  # position ids begin behind the padding id
)
MPNET = replace(ROBERTA, name="mpnet", model_types=("mpnet",), attention_out="attention.attn.o")
DISTILBERT = replace(
    BERT,
    name="distilbert",
    model_types=("distilbert",),
    blocks="transformer.layer",
    down="ffn.lin2",
    up="ffn.lin1",
    activation="ffn.activation",
    attention_out="attention.out_lin",
)
ALBERT = replace(
    BERT,
    name="albert",
    model_types=("albert",),
    blocks="encoder.albert_layer_groups.0.albert_layers",
    down="ffn_output",
    up="ffn",
    activation="activation",
    attention_out="attention.dense",
    embedding_projection="encoder.embedding_hidden_mapping_in",
    shared_block=True,
)
MODERNBERT = replace(
    BERT,
    name="modernbert",
    model_types=("modernbert",),
    blocks="layers",
    down="mlp.Wo",
    up="mlp.Wi",
    gate="mlp.Wi",
    fused=True,
    activation="mlp.act",
    attention_out="attn.Wo",
    embedding="embeddings.tok_embeddings",
    embedding_projection=None,
    mlp_norm=("mlp_norm",),
    final_norm="final_norm",
)
T5 = Family(
    name="t5",
    model_types=("t5", "mt5"),
    blocks="block",
    down="layer.1.DenseReluDense.wo",
    up="layer.1.DenseReluDense.wi",
    activation="layer.1.DenseReluDense.act",
    attention_out="layer.0.SelfAttention.o",
    embedding="embed_tokens",
    norm="RMSNorm",
    mlp_norm=("layer.1.layer_norm",),
    final_norm="final_layer_norm",
    head="encoder",
    trained_context=512,
    applies=lambda config: not config.is_gated_act,
)
T5_GATED = replace(
    T5,
    name="t5-gated",
    gate="layer.1.DenseReluDense.wi_0",
    up="layer.1.DenseReluDense.wi_1",
    applies=lambda config: config.is_gated_act,
)
