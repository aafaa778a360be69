"""`python -m neuronscope`: the terminal, where the command itself is not on the path."""

from neuronscope.cli import main

if __name__ == "__main__":
    main()
