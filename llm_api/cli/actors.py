"""Who acts on the command line, for the audit."""

import os
import pwd

from llm_api.domain.audit import Actor


def command_line_actor() -> Actor:
    """Return the user of the operating system who runs this command.

    By the id of the process, as LOGNAME and USER can be set to anything. In a container the id may
    have no name.
    """
    user_id = os.getuid()
    try:
        name = pwd.getpwuid(user_id).pw_name
    except KeyError:
        name = str(user_id)
    return Actor(f"cli:{name}", name)
