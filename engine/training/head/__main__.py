"""Commands that make the starter's head: `python -m engine.training.head --help`."""

from .command_line import main

if __name__ == "__main__":
    main()
