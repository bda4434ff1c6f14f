using System.Numerics;

namespace TokenMocap
{
    /// <summary>
    /// The tree of joints, in the sender's frame and metres: where each joint lies from its parent at rest, for any
    /// shape of body.
    /// </summary>
    public sealed class Skeleton
    {
        /// <summary>Each joint's parent, which comes before it; -1 for the root.</summary>
        public readonly int[] Parents;
        /// <summary>By side and finger joint: where it lies from its parent at rest; null where the sender has no hands.</summary>
        public readonly Vector3[][] FingerOffsets;
        private readonly Vector3[] _offsets;
        private readonly float[] _betas;
        private readonly Vector3[][] _shapeOffsets;

        /// <param name="parents">(24) with a parent before its children.</param>
        /// <param name="offsets">(24) of the shape `betas`.</param>
        /// <param name="betas">The shape that `offsets` are of; null where the sender does not say.</param>
        /// <param name="shapeOffsets">(24, shape components); null where the sender does not say.</param>
        /// <param name="fingerOffsets">(2, 15); null where the sender has no hands.</param>
        public Skeleton(int[] parents, Vector3[] offsets, float[] betas = null, Vector3[][] shapeOffsets = null,
            Vector3[][] fingerOffsets = null)
        {
            Parents = parents;
            FingerOffsets = fingerOffsets;
            _offsets = offsets;
            _betas = betas;
            _shapeOffsets = shapeOffsets;
        }

        /// <summary>Rest offsets of a person, into (24); the root's is its place at rest.</summary>
        public void OffsetsOf(PersonPose pose, Vector3[] offsets) => OffsetsOf(pose.Betas, offsets, pose.Scale);

        /// <summary>Rest offsets of a person of this shape and scale, into (24).</summary>
        public void OffsetsOf(float[] betas, Vector3[] offsets, float scale = 1)
        {
            for (int joint = 0; joint < offsets.Length; joint++)
            {
                Vector3 offset = _offsets[joint];
                if (_betas != null && _shapeOffsets != null)
                {
                    Vector3[] shape = _shapeOffsets[joint];
                    for (int i = 0; i < shape.Length && i < betas.Length && i < _betas.Length; i++)
                        offset += shape[i] * (betas[i] - _betas[i]);
                }
                offsets[joint] = scale * offset;
            }
        }

        /// <summary>Each joint's rotation into the world, into (24).</summary>
        public void WorldRotations(PersonPose pose, Quaternion[] rotations)
        {
            for (int joint = 0; joint < rotations.Length; joint++)
            {
                int parent = Parents[joint];
                rotations[joint] = parent < 0
                    ? pose.Rotations[joint]
                    : Quaternion.Normalize(rotations[parent] * pose.Rotations[joint]);
            }
        }

        /// <summary>Each joint's place in the world, into (24): forward kinematics.</summary>
        public void JointPositions(PersonPose pose, Quaternion[] worldRotations, Vector3[] offsets, Vector3[] positions)
        {
            for (int joint = 0; joint < positions.Length; joint++)
            {
                int parent = Parents[joint];
                positions[joint] = parent < 0
                    ? pose.Trans
                    : positions[parent] + Vector3.Transform(offsets[joint], worldRotations[parent]);
            }
        }
    }
}
