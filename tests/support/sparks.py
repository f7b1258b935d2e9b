"""A Spark session for tests, with Iceberg and a catalog "there" over a folder; what tools/bootstrap --interop installed.
One for a whole script: it takes ten seconds to start."""
import glob
import os
import sys
import time

from tarn import skip

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
PLACE = os.path.join(os.environ.get("TARN_INTEROP_CACHE") or os.path.join(ROOT, "build", "interop"), "spark")
CATALOG = "there"


def session(scratch, more=None):
    """Files go below `scratch`; its folder "warehouse" is the catalog's. `more`: settings beside, those of
    the catalog among them or not."""
    jars = glob.glob(os.path.join(PLACE, "jars", "iceberg-*.jar"))
    packages = glob.glob(os.path.join(PLACE, "venv", "lib", "python3*", "site-packages"))
    if not jars or not packages:
        skip(f"Spark is not installed in {PLACE}")
    sys.path += packages
    os.environ.update(TZ="UTC", SPARK_LOCAL_IP="127.0.0.1")
    time.tzset()
    from pyspark.sql import SparkSession
    settings = {
        "spark.jars": ",".join(jars),
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.default.parallelism": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": os.path.join(scratch, "spark-warehouse"),
        "spark.local.dir": os.path.join(scratch, "local"),
        "spark.log.level": "FATAL",
        "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -Dderby.system.home=" + scratch,
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    }
    builder = SparkSession.builder.master("local[2]").appName("tarn")
    settings.update(more or {})
    for name, value in settings.items():
        builder = builder.config(name, value)
    made = builder.getOrCreate()
    prefix = f"spark.sql.catalog.{CATALOG}"
    if prefix in settings:
        return made
    for name, value in (("", "org.apache.iceberg.spark.SparkCatalog"), (".type", "hadoop"),
                        (".warehouse", "file:" + os.path.join(scratch, "warehouse")), (".cache-enabled", "false")):
        made.conf.set(prefix + name, value)
    return made
