"""What the world's own exporters would say of its objects, one file per exporter. Pure: objects in, series out."""
