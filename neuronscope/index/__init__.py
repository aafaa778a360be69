"""A whole corpus, remembered: its tokens, what each neuron did on them, and a folder that holds both."""
