"""The container's health check: exit status 0 if the app answers on its own port, 1 if not.

PORT and STREAMLIT_SERVER_BASE_URL_PATH are read as the app reads them. No proxy is asked.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException

LIMIT_S = 4  # below the time that the Dockerfile gives the check


def main() -> int:
    """Ask once."""
    base = os.environ.get("STREAMLIT_SERVER_BASE_URL_PATH", "").strip("/")
    path = f"/{base}/_stcore/health" if base else "/_stcore/health"
    connection = HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or 8501), timeout=LIMIT_S)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        print(f"no answer: {error}")
        return 1
    print(f"answered {status}")
    return int(status != 200)


if __name__ == "__main__":
    sys.exit(main())
