"""``python -m veo_async.cli``: the command line without its script on the path."""

import sys

from . import main

sys.exit(main())
