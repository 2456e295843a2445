"""Layouts: how data sets are stored on disk, one module per data set. `LAYOUTS` is the registry.

To add one, write its module, add a line here, and add a tree to `tests/ingest/layout_trees.py`.
"""

from rfmeta_dist.ingest.layouts.casia_fasd import CASIA_FASD
from rfmeta_dist.ingest.layouts.celeba_spoof import CELEBA_SPOOF
from rfmeta_dist.ingest.layouts.folder import FOLDER
from rfmeta_dist.ingest.layouts.layout import Layout
from rfmeta_dist.ingest.layouts.msu_mfsd import MSU_MFSD
from rfmeta_dist.ingest.layouts.oulu_npu import OULU_NPU
from rfmeta_dist.ingest.layouts.replay_attack import REPLAY_ATTACK
from rfmeta_dist.ingest.layouts.replay_mobile import REPLAY_MOBILE
from rfmeta_dist.ingest.layouts.siw import SIW

LAYOUTS: dict[str, Layout] = {
    "oulu_npu": OULU_NPU,
    "casia_fasd": CASIA_FASD,
    "replay_attack": REPLAY_ATTACK,
    "msu_mfsd": MSU_MFSD,
    "replay_mobile": REPLAY_MOBILE,
    "siw": SIW,
    "celeba_spoof": CELEBA_SPOOF,
    "folder": FOLDER,
}
