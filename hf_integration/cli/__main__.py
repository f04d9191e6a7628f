"""``python -m hf_integration.cli``, for where the ``sslauth`` script is not on the path."""

import sys

from hf_integration.cli.entry import main

sys.exit(main())
