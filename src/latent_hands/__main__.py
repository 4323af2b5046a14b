"""The command `latent-hands`, and `python -m latent_hands`: signals end it from its first import on."""

import sys

from latent_hands.interrupt import end_at_signals


def main() -> int:
    """Run the command line of this process and return its exit code."""
    end_at_signals()
    from latent_hands.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
