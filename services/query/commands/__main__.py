"""`python -m services.query.commands`."""

from services.query.commands.command_line import main

main()
