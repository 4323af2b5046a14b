"""`python -m latent_hands` is the command `latent-hands`."""

import sys

from latent_hands.cli import main

if __name__ == "__main__":
    sys.exit(main())
