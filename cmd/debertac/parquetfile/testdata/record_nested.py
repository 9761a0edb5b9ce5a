"""Writes nested.parquet: structures and lists in each other, as data sets on the hub have them. Needs pyarrow. CC0."""
import pyarrow as pa
import pyarrow.parquet as pq

answers = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int32()))])
part = pa.struct([("label", pa.string()), ("at", pa.list_(pa.int64()))])
table = pa.table({
    "id": ["q1", "q2", "q3", "q4"],
    "context": ["Ann lives in Bonn.", "é b", "c", "d"],
    "question": ["Where?", "b?", "c?", "d?"],
    "answers": pa.array([{"text": ["Bonn", "in Bonn"], "answer_start": [13, 10]}, {"text": ["b"], "answer_start": [2]}, {"text": [], "answer_start": []},
                         None], answers),
    "parts": pa.array([[{"label": "a", "at": [1, 2]}, {"label": None, "at": []}, None], [], None, [{"label": "b", "at": None}]], pa.list_(part)),
    "grid": pa.array([[["a"], [], None, ["b", None]], [None], [], None], pa.list_(pa.list_(pa.string()))),
    "one": pa.array([{"x": 1}, {"x": None}, None, {"x": 2}], pa.struct([("x", pa.int32())])),
    "map": pa.array([[("a", 1), ("b", 2)], [], None, [("c", None)]], pa.map_(pa.string(), pa.int32())),
})
pq.write_table(table, "nested.parquet", row_group_size=3, compression="zstd")
