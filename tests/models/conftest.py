from __future__ import annotations

import torch

torch.set_num_threads(1)  # the models are small, and two threads that wait for each other are slower than one
