"""`python -m hubstats` is the `hubstats` command."""

from hubstats.cli import main

if __name__ == "__main__":
    main()
