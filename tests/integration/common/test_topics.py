from aiokafka.admin import AIOKafkaAdminClient

from schemas.topics import TOPICS
from services.common.kafka import client_options
from services.common.topics import create_topics, positions
from tests.conftest import Topics
from tests.rig.databases import Database


async def test_every_topic_is_made_with_its_partitions_and_the_position_rows_at_0(
    topics: Topics, database: Database
) -> None:
    admin = AIOKafkaAdminClient(**client_options(topics.bootstrap))
    await admin.start()
    try:
        told = await admin.describe_topics([topics.name(topic.name) for topic in TOPICS])
    finally:
        await admin.close()
    assert {each["topic"]: len(each["partitions"]) for each in told} == {
        topics.name(topic.name): topic.partitions for topic in TOPICS
    }
    async with database.connect() as connection:
        rows = await connection.fetch("SELECT topic, partition, next_offset, epoch FROM kafka_position")
    assert {(row["topic"], row["partition"]) for row in rows} == set(positions(TOPICS, topics.prefix))
    assert all(row["next_offset"] == 0 and row["epoch"] == 0 for row in rows)


async def test_making_them_again_changes_no_position(topics: Topics, database: Database) -> None:
    async with database.connect() as connection:
        await connection.execute("UPDATE kafka_position SET next_offset = 7")
        await create_topics(topics.bootstrap, database.owner_url, topics.prefix)
        assert await connection.fetchval("SELECT DISTINCT next_offset FROM kafka_position") == 7
