"""The parts of a live conversation; `edge_ser.stream.EmotionStream` puts them together."""
