"""``python -m zelto_agents.cli``, for environments without the installed command."""

from zelto_agents.cli import main

main()
