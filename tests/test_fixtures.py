import os
import pwd
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from neuronscope.settings import Settings
from neuronscope.vocabulary import Tokens


def test_no_test_knows_the_real_home():
    assert Path.home() != Path(pwd.getpwuid(os.getuid()).pw_dir)
    settings = Settings.from_environment()
    assert settings.cache_folder.is_relative_to(os.environ["NEURONSCOPE_HOME"])
    assert settings.data_folder.is_relative_to(os.environ["NEURONSCOPE_HOME"])


def test_each_test_finds_its_folder_empty(own_home):
    assert list(own_home.iterdir()) == []
    assert Settings.from_environment().cache_folder == own_home / "cache"


def test_shapes_in_signatures_are_checked_in_tests():
    with pytest.raises(TypeCheckError):
        Tokens("ab", np.arange(2), np.zeros((3, 2), int), ("a", "b"), np.zeros(2, bool))


def test_torch_uses_one_thread_in_tests_and_in_processes_they_start():
    count = "import torch; print(torch.get_num_threads())"
    assert subprocess.run([sys.executable, "-c", count], capture_output=True, text=True, check=True).stdout == "1\n"
