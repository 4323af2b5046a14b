"""Stop work at all its writes, for hours: nice python tests/fuzz/kill.py [--seed N] [--count N] [NAME ...].

This file imports nothing at its start, because rendering processes import it.
"""

if __name__ == "__main__":
    from killed_work import main

    main()
