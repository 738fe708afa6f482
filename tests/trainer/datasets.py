"""Small real data folders for tests."""

import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

IMAGES = """image,case,split,width_px,height_px,boxes,finding,chromosome_count,abnormal_pair,difficult
a1.png,a,train,100,80,2,normal,46,,0
a2.png,a,train,100,80,1,normal,46,,0
b1.png,b,test,100,80,2,numerical,47,21,0
c1.png,c,test,100,80,1,normal,46,,1
"""
BOXES = """image,label,xmin,ymin,xmax,ymax
a1.png,1,10,10,20,40
a1.png,X,50,10,60,40
a2.png,3,10,10,30,50
b1.png,21,10,10,20,40
b1.png,Y,-1,50,30,81
c1.png,7,0,0,9,9
"""
CROPS = """file,label,cell,donor,split
k/1_0.webp,1,k,d1,train
k/X_1.webp,X,k,d1,train
m/1_0.webp,1,m,d2,test
m/2_1.webp,2,m,d2,test
"""


def metaphase_folder(folder: Path, images: str = IMAGES, boxes: str = BOXES) -> Path:
    (folder / "images").mkdir(parents=True)
    (folder / "images.csv").write_text(images)
    (folder / "boxes.csv").write_text(boxes)
    for row in images.splitlines()[1:]:
        cv2.imwrite(str(folder / "images" / row.split(",")[0]), np.full((80, 100), 200, np.uint8))
    return folder


def webp(value: int) -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.full((20, 8), value, np.uint8)).save(data, "WEBP", lossless=True)
    return data.getvalue()


UNSPLIT = CROPS.replace("d1,train", ",").replace("d2,test", ",")
"""Neither donors nor splits."""


def crops_zip(path: Path, table: str = CROPS, damaged: tuple[str, ...] = ()) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("crops.csv", table)
        for number, row in enumerate(dict.fromkeys(table.splitlines()[1:])):
            name = row.split(",")[0]
            archive.writestr(name, b"RIFF" if name in damaged else webp(10 * number + 10))
    return path
