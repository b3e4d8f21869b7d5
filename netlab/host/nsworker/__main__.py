"""`python -m netlab.host.nsworker FD`: started by the client only, with its end of the socket pair as descriptor FD.

It ends when that socket ends, which is when the agent does, however that was.
"""

import sys

from netlab.host.nsworker.server import serve

if __name__ == "__main__":
    serve(int(sys.argv[1]))
