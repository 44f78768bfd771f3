"""Confinement of a submission: what student code may read, write, use and leave behind.

A worker starts a fork server; for each submission the server forks a child, which confines itself, for ever, and then
runs the student's code in the same process::

    confinement = probe()                                            # in the worker
    with cgroup_home(confinement) as confinement:
        command = server_command(confinement, argv, scratch_root, default_readable())
        server = subprocess.Popen(command, env=server_environment(scratch_root), pass_fds=pipes)

    prepare_server()                                                 # in the server, once
    scratch = make_scratch(scratch_root)
    with Cgroup(confinement, limits) as group:
        child = os.fork()
        if child == 0:                                               # in the child
            group.add(os.getpid())
            confine(confinement, scratch, readable, limits, keep_fds=pipes)
            ...                                                      # student code, then os._exit()
        ...                                                          # wait for its end, or for the wall clock
        ended = kill_process_tree(child, group)
    remove_scratch(scratch)
"""

from ee559_sandbox.bubblewrap import server_command
from ee559_sandbox.cgroup import Cgroup, cgroup_home
from ee559_sandbox.child import confine
from ee559_sandbox.ending import Ended, kill_process_tree, prepare_server
from ee559_sandbox.environment import default_readable, find_shut_folder, server_environment
from ee559_sandbox.model import Confinement, Limits
from ee559_sandbox.probe import probe
from ee559_sandbox.scratch import make_scratch, remove_scratch
from ee559_sandbox.usage import Usage, find_usage

__all__ = [
    "Cgroup",
    "Confinement",
    "Ended",
    "Limits",
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
