using TokenMocap.Unity;
using UnityEngine;

namespace TokenMocap.Samples
{
    /// <summary>Draws one person of a stream as lines from joint to joint, without any avatar.</summary>
    public sealed class StickFigure : MonoBehaviour
    {
        private const float Width = 0.025f; // metres

        public MocapStream stream;
        public int personId;
        public Material material;

        private readonly PersonPose _pose = new PersonPose();
        private readonly System.Numerics.Quaternion[] _rotations = new System.Numerics.Quaternion[SmplJoints.Count];
        private readonly System.Numerics.Vector3[] _offsets = new System.Numerics.Vector3[SmplJoints.Count];
        private readonly System.Numerics.Vector3[] _positions = new System.Numerics.Vector3[SmplJoints.Count];
        private readonly LineRenderer[] _lines = new LineRenderer[SmplJoints.Count];

        private void Start()
        {
            for (int joint = 1; joint < _lines.Length; joint++)
            {
                var child = new GameObject(SmplJoints.Names[joint]);
                child.transform.SetParent(transform, false);
                LineRenderer line = child.AddComponent<LineRenderer>();
                line.useWorldSpace = false;
                line.positionCount = 2;
                line.startWidth = line.endWidth = Width;
                line.sharedMaterial = material;
                line.startColor = line.endColor = ColorOf(SmplJoints.Names[joint]);
                line.enabled = false;
                _lines[joint] = line;
            }
        }

        private void LateUpdate()
        {
            Skeleton skeleton = stream.Skeleton;
            bool isSeen = skeleton != null && stream.Sample(personId, _pose);
            if (isSeen)
            {
                skeleton.OffsetsOf(_pose, _offsets);
                skeleton.WorldRotations(_pose, _rotations);
                skeleton.JointPositions(_pose, _rotations, _offsets, _positions);
            }
            for (int joint = 1; joint < _lines.Length; joint++)
            {
                _lines[joint].enabled = isSeen;
                if (!isSeen) continue;
                _lines[joint].SetPosition(0, Handedness.Convert(_positions[skeleton.Parents[joint]]).ToEngine());
                _lines[joint].SetPosition(1, Handedness.Convert(_positions[joint]).ToEngine());
            }
        }

        private static Color ColorOf(string joint)
        {
            if (joint.StartsWith("left_")) return new Color(1f, 0.6f, 0.2f);
            return joint.StartsWith("right_") ? new Color(0.3f, 0.6f, 1f) : Color.white;
        }
    }
}
