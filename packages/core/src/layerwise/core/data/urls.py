"""Public addresses of data sets and language models, by the names that readers of books know."""

from __future__ import annotations

__all__ = ["URLs"]

_S3 = "https://s3.amazonaws.com/fast-ai-"
_SAMPLE = _S3 + "sample/"
_IMAGES = _S3 + "imageclas/"
_PLACES = _S3 + "imagelocal/"
_TEXTS = _S3 + "nlp/"
_COCO = _S3 + "coco/"
_MODELS = _S3 + "modelzoo/"
_SOUNDS = "https://storage.googleapis.com/ml-animal-sounds-datasets/"


class URLs:
    """Addresses for `untar_data`. Each data set has terms of its own, which its makers state.

    Example:
        >>> URLs.MNIST_TINY
        'https://s3.amazonaws.com/fast-ai-sample/mnist_tiny.tgz'
    """

    # Small samples
    ADULT_SAMPLE = _SAMPLE + "adult_sample.tgz"
    BIWI_SAMPLE = _SAMPLE + "biwi_sample.tgz"
    CIFAR = _SAMPLE + "cifar10.tgz"
    COCO_SAMPLE = _COCO + "coco_sample.tgz"
    COCO_TINY = _SAMPLE + "coco_tiny.tgz"
    HUMAN_NUMBERS = _SAMPLE + "human_numbers.tgz"
    IMDB_SAMPLE = _SAMPLE + "imdb_sample.tgz"
    ML_SAMPLE = _SAMPLE + "movie_lens_sample.tgz"
    ML_100k = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
    MNIST_SAMPLE = _SAMPLE + "mnist_sample.tgz"
    MNIST_TINY = _SAMPLE + "mnist_tiny.tgz"
    MNIST_VAR_SIZE_TINY = _SAMPLE + "mnist_var_size_tiny.tgz"
    PLANET_SAMPLE = _SAMPLE + "planet_sample.tgz"
    PLANET_TINY = _SAMPLE + "planet_tiny.tgz"
    SIIM_SMALL = _SAMPLE + "siim_small.tgz"
    TCGA_SMALL = _SAMPLE + "tcga_small.tgz"

    # Images with one class
    CALTECH_101 = _IMAGES + "caltech_101.tgz"
    CARS = _IMAGES + "stanford-cars.tgz"
    CIFAR_100 = _IMAGES + "cifar100.tgz"
    CUB_200_2011 = _IMAGES + "CUB_200_2011.tgz"
    DOGS = _SAMPLE + "dogscats.tgz"
    FLOWERS = _IMAGES + "oxford-102-flowers.tgz"
    FOOD = _IMAGES + "food-101.tgz"
    IMAGENETTE = _IMAGES + "imagenette2.tgz"
    IMAGENETTE_160 = _IMAGES + "imagenette2-160.tgz"
    IMAGENETTE_320 = _IMAGES + "imagenette2-320.tgz"
    IMAGEWANG = _IMAGES + "imagewang.tgz"
    IMAGEWANG_160 = _IMAGES + "imagewang-160.tgz"
    IMAGEWANG_320 = _IMAGES + "imagewang-320.tgz"
    IMAGEWOOF = _IMAGES + "imagewoof2.tgz"
    IMAGEWOOF_160 = _IMAGES + "imagewoof2-160.tgz"
    IMAGEWOOF_320 = _IMAGES + "imagewoof2-320.tgz"
    MNIST = _IMAGES + "mnist_png.tgz"
    PETS = _IMAGES + "oxford-iiit-pet.tgz"

    # Images with masks, boxes or points
    BIWI_HEAD_POSE = _PLACES + "biwi_head_pose.tgz"
    CAMVID = _PLACES + "camvid.tgz"
    CAMVID_TINY = _SAMPLE + "camvid_tiny.tgz"
    LSUN_BEDROOMS = _PLACES + "bedroom.tgz"
    PASCAL_2007 = _PLACES + "pascal_2007.tgz"
    PASCAL_2012 = _PLACES + "pascal_2012.tgz"

    # Texts
    AG_NEWS = _TEXTS + "ag_news_csv.tgz"
    AMAZON_REVIEWS = _TEXTS + "amazon_review_full_csv.tgz"
    AMAZON_REVIEWS_POLARITY = _TEXTS + "amazon_review_polarity_csv.tgz"
    DBPEDIA = _TEXTS + "dbpedia_csv.tgz"
    IMDB = _TEXTS + "imdb.tgz"
    MT_ENG_FRA = _TEXTS + "giga-fren.tgz"
    SOGOU_NEWS = _TEXTS + "sogou_news_csv.tgz"
    WIKITEXT = _TEXTS + "wikitext-103.tgz"
    WIKITEXT_TINY = _TEXTS + "wikitext-2.tgz"
    YAHOO_ANSWERS = _TEXTS + "yahoo_answers_csv.tgz"
    YELP_REVIEWS = _TEXTS + "yelp_review_full_csv.tgz"
    YELP_REVIEWS_POLARITY = _TEXTS + "yelp_review_polarity_csv.tgz"

    # Sounds
    ESC50 = "https://github.com/karolpiczak/ESC-50/archive/master.zip"
    MACAQUES = _SOUNDS + "macaques.zip"
    SPEAKERS10 = "https://www.openslr.org/resources/45/ST-AEDS-20180100_1-OS.tgz"
    ZEBRA_FINCH = _SOUNDS + "zebra_finch.zip"

    # Trained models
    OPENAI_TRANSFORMER = _MODELS + "transformer.tgz"
    WT103_BWD = _MODELS + "wt103-bwd.tgz"
    WT103_FWD = _MODELS + "wt103-fwd.tgz"
