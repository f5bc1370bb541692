"""Commands that make the starter's head: `python -m training.head --help`."""

from training.head.command_line import main

if __name__ == "__main__":
    main()
