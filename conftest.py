"""Settings for every test and every notebook kernel, made before NumPy is loaded."""

import os
import shutil
import tempfile

import pytest
from hypothesis import settings

# Two workers with two BLAS threads each on two cores slow each other down many times over.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")  # jupyter_core warns where it is unset

# A parallel run is no place for hypothesis's time limit per example; and the same examples at each
# run, so that a red test is red for its author too.
settings.register_profile("bpbook", parent=settings(), deadline=None, derandomize=True)
settings.load_profile("bpbook")


def pytest_configure(config):
    """Give kernels an empty IPython profile: the user's startup files are not the book's."""
    config.ipython_profile = tempfile.mkdtemp(prefix="bpbook-ipython-")
    os.environ["IPYTHONDIR"] = config.ipython_profile


def pytest_collection_modifyitems(items):
    """Skip the cells of a notebook whose package is not installed, and say so."""
    from bpbook import chapters

    for item in items:
        if reason := chapters.lacks(item.path):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that is skipped says why, or fails."""
    report = yield
    skipped = call.excinfo and call.excinfo.errisinstance(pytest.skip.Exception)
    if skipped and call.excinfo.value.msg in ("", "unconditional skip"):
        report.outcome, report.longrepr = "failed", f"{item.name} is skipped without a reason"
    return report


def pytest_unconfigure(config):
    shutil.rmtree(config.ipython_profile, ignore_errors=True)
