"""Run code that nobody vouches for: what it may read, write, use and leave behind.

A caller starts a server, which forks a child for each piece of code; the child confines itself, for ever, and then runs
the code in the same process. README.md shows that at work, and SECURITY.md says what it promises.
"""

from ee559_sandbox.bubblewrap import server_command
from ee559_sandbox.cgroup import Cgroup, cgroup_home
from ee559_sandbox.child import confine
from ee559_sandbox.confinement import Confinement
from ee559_sandbox.environment import default_readable, find_shut_folder, server_environment
from ee559_sandbox.limits import Limits, Usage, find_usage
from ee559_sandbox.probe import probe
from ee559_sandbox.process_tree import ProcessExit, kill_process_tree, prepare_server
from ee559_sandbox.scratch import make_scratch, remove_scratch

__all__ = [
    "Cgroup",
    "Confinement",
    "Limits",
    "ProcessExit",
    "Usage",
    "cgroup_home",
    "confine",
    "default_readable",
    "find_shut_folder",
    "find_usage",
    "kill_process_tree",
    "make_scratch",
    "prepare_server",
    "probe",
    "remove_scratch",
    "server_command",
    "server_environment",
]
