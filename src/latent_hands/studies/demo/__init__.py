"""The demo: render hands, train, evaluate and write a report, in minutes on a CPU."""

from latent_hands.studies.demo.run import IMAGE_PX, SCENE_SIZE, evaluate_and_report, run_demo

__all__ = ["IMAGE_PX", "SCENE_SIZE", "evaluate_and_report", "run_demo"]
