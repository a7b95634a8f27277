"""`python -m services.embedded CHECKOUT`: the supervisor of local mode, as `agentplane up` starts it."""

import sys
from pathlib import Path

from services.embedded.supervisor import main

sys.exit(main(Path(sys.argv[1])))
