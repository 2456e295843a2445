"""Compute hand-made features of face crops, and classify them with a stored classifier. Needs numpy alone.

images.py        resize crops, convert them to grey, HSV and YCbCr
lbp.py           local binary patterns, and the features of MS LBP (Määttä et al., IJCB 2011)
coalbp.py        co-occurrence of adjacent local binary patterns (Nosaka et al., PSIVT 2011)
lpq.py           local phase quantisation (Ojansivu and Heikkilä, ICISP 2008)
colour.py        the features of Color Texture (Boulkenafet et al., IEEE TIFS 2016)
specular.py      separate specular from diffuse light (Tan and Ikeuchi, PAMI 2005)
distortion.py    the features of IDA, image distortion analysis (Wen et al., IEEE TIFS 2015)
classifier.py    scale features, compute margins of support vector machines, map them to scores
detector.py      extractor and classifier as a detector, and its files
api.py           the interface of an extractor
"""
