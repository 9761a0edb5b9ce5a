"""Records what TensorBoard reads from the event file beside this script. Needs: tensorboard (2.21 was used)."""
import json
import pathlib

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

here = pathlib.Path(__file__).parent
events = EventAccumulator(str(here / "events.out.tfevents.debertac"))
events.Reload()
read = {tag: [{"step": e.step, "time": e.wall_time, "value": e.value} for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
(here / "read.json").write_text(json.dumps(read, indent=1, ensure_ascii=False) + "\n")
