"""Who is registered on the network, as a process of its own: `python -m signal_processors.bittensor_metagraph`.

Prints one JSON object, {"hotkeys": {"<hotkey>": <incentive>}}, and ends. Only this program imports the `bittensor`
package: it takes long to load, wants much memory, changes logging and arguments for its own purposes and may wait for a
chain that does not answer, none of which may happen to the program that writes signals.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

NETUID = 8
NETWORK = "finney"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bittensor_metagraph", description="Prints who is registered on a subnet.")
    parser.add_argument("--network", default=NETWORK, help=f"chain to ask (default {NETWORK})")
    parser.add_argument("--netuid", type=int, default=NETUID, help=f"subnet (default {NETUID})")
    args = parser.parse_args(argv)
    out, sys.argv = os.dup(1), sys.argv[:1]
    os.dup2(2, 1)  # what the package prints is no part of the answer
    os.environ.setdefault("BT_NO_PARSE_CLI_ARGS", "true")

    import bittensor

    metagraph = bittensor.Subtensor(network=args.network).metagraph(netuid=args.netuid)
    found = {
        str(hotkey): float(incentive) for hotkey, incentive in zip(metagraph.hotkeys, metagraph.incentive, strict=True)
    }
    with os.fdopen(out, "w") as answer:
        answer.write(json.dumps({"hotkeys": found}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
