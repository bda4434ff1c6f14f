"""Makes this project's networks, and redoes the TokenHMR paper. Run the modules named first with `python -m`.

tokenizer             trains pose tokenizers: codebook, losses; measured by reconstruction
landmarks             trains the landmark estimator: landmark_losses; on synthetic detections made by views, hiding,
                      synthetic, synthetic_config
hmr                   trains TokenHMR's second stage: hmr_network, hmr_losses, patch_keypoints, hmr_evaluation; pictures
                      come from readers or render, by mixture and crops
ablation              trains many rows of changes to a tokenizer or estimator: ablation_tables
evaluate              the paper's evaluations: protocols, paper_figures, pose_map; of checkpoints over image sets:
                      image_evaluation, evaluation_bodies, smpl; of videos: video_evaluation, trc
camera_bias           the wrong camera (section 3) and TALS against the plain loss: filmed_people, fixed_camera,
                      pseudo_truth, known_cameras, tals_ab, bias_plots
render                draws pictures of the free body
body                  makes the free body: anny_rig, anny_tpose, anny_landmarks
readers.poses         turns published motion capture into the files that trainers read; readers has a module a form

Shared by several: mocap and augment (poses), torch_body, tals and thresholds (TALS itself), metrics, and what every
run does: processes, checkpoint, progress, schedule.
"""

from engine.command import quiet_start

quiet_start("training")
