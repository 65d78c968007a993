"""The control plane of Kinesis Video with boto3. Usage: video_control.py ENDPOINT; the keys are in the environment."""
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = sys.argv[1]
NAME = "boto-camera"


def client(service):
    return boto3.client(service, endpoint_url=ENDPOINT, region_name="us-east-1", config=Config(retries={"total_max_attempts": 1}))


kv = client("kinesisvideo")


def fails(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        assert e.response["Error"]["Message"], e
        return
    raise AssertionError(f"{code} expected")


def until(ready):
    for _ in range(200):
        if ready():
            return
        time.sleep(0.02)
    raise AssertionError("it does not come")


def info():
    return kv.describe_stream(StreamName=NAME)["StreamInfo"]


def active():
    until(lambda: info()["Status"] == "ACTIVE")
    return info()["Version"]


def gone(call, **parameters):
    try:
        call(**parameters)
    except ClientError as e:
        return e.response["Error"]["Code"] == "ResourceNotFoundException"
    return False


def streams():
    arn = kv.create_stream(StreamName=NAME, DataRetentionInHours=24, MediaType="video/h264", Tags={"site": "north"})["StreamARN"]
    version = active()
    assert arn.endswith("/%d" % round(info()["CreationTime"].timestamp() * 1000))
    kv.update_stream(StreamARN=arn, CurrentVersion=version, DeviceName="door")
    active()
    fails("VersionMismatchException", kv.update_stream, StreamARN=arn, CurrentVersion=version, DeviceName="gate")
    kv.update_data_retention(StreamName=NAME, CurrentVersion=active(), Operation="DECREASE_DATA_RETENTION", DataRetentionChangeInHours=23)
    active()
    assert info()["DataRetentionInHours"] == 1 and info()["DeviceName"] == "door"
    kv.tag_stream(StreamName=NAME, Tags={"floor": "2"})
    kv.untag_stream(StreamName=NAME, TagKeyList=["site"])
    assert kv.list_tags_for_stream(StreamName=NAME)["Tags"] == {"floor": "2"}
    pages = kv.get_paginator("list_streams").paginate(
        StreamNameCondition={"ComparisonOperator": "BEGINS_WITH", "ComparisonValue": "boto-"}, PaginationConfig={"PageSize": 1})
    assert [s["StreamName"] for page in pages for s in page["StreamInfoList"]] == [NAME]
    assert kv.get_data_endpoint(StreamName=NAME, APIName="LIST_FRAGMENTS")["DataEndpoint"] == ENDPOINT
    fails("ResourceNotFoundException", kv.describe_stream, StreamName="nosuch")
    fails("ResourceInUseException", kv.create_stream, StreamName=NAME)
    return arn


def configurations():
    configuration = {"Status": "ENABLED", "DestinationConfig": {"Uri": "https://hooks.example/"}}
    kv.update_notification_configuration(StreamName=NAME, NotificationConfiguration=configuration)
    assert kv.describe_notification_configuration(StreamName=NAME)["NotificationConfiguration"] == configuration
    images = {"Status": "ENABLED", "ImageSelectorType": "SERVER_TIMESTAMP", "SamplingInterval": 1000, "Format": "PNG",
              "DestinationConfig": {"Uri": "s3://images/x", "DestinationRegion": "us-east-1"}}
    kv.update_image_generation_configuration(StreamName=NAME, ImageGenerationConfiguration=images)
    assert kv.describe_image_generation_configuration(StreamName=NAME)["ImageGenerationConfiguration"] == images
    fails("StreamEdgeConfigurationNotFoundException", kv.describe_edge_configuration, StreamName=NAME)


def channels(stream):
    arn = kv.create_signaling_channel(ChannelName="boto-bell")["ChannelARN"]
    until(lambda: kv.describe_signaling_channel(ChannelARN=arn)["ChannelInfo"]["ChannelStatus"] == "ACTIVE")
    kv.update_media_storage_configuration(ChannelARN=arn, MediaStorageConfiguration={"StreamARN": stream, "Status": "ENABLED"})
    assert kv.describe_mapped_resource_configuration(StreamName=NAME)["MappedResourceConfigurationList"][0]["ARN"] == arn
    endpoints = kv.get_signaling_channel_endpoint(
        ChannelARN=arn, SingleMasterChannelEndpointConfiguration={"Protocols": ["WSS", "HTTPS"], "Role": "VIEWER"})
    assert len(endpoints["ResourceEndpointList"]) == 2
    fails("InvalidArgumentException", client("kinesis-video-signaling").get_ice_server_config, ChannelARN=arn)
    kv.delete_signaling_channel(ChannelARN=arn)
    until(lambda: gone(kv.describe_signaling_channel, ChannelARN=arn))


ARN = streams()
configurations()
channels(ARN)
kv.delete_stream(StreamARN=ARN, CurrentVersion=active())
until(lambda: gone(kv.describe_stream, StreamName=NAME))
