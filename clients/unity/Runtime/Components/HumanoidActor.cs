using UnityEngine;

namespace TokenMocap.Unity
{
    /// <summary>
    /// Moves a Humanoid avatar with one person of a stream, after the Animator had its turn. The avatar's own transform
    /// is the stage: put it, turn it and scale it as you like. While nobody is seen the last pose stays.
    /// </summary>
    [AddComponentMenu("tokenmocap/Humanoid Actor")]
    [DisallowMultipleComponent]
    public sealed class HumanoidActor : MonoBehaviour
    {
        [Tooltip("Where poses come from.")]
        public MocapStream stream;

        [Tooltip("A Humanoid. Empty: the Animator on this object.")]
        public Animator animator;

        [Tooltip("The person to follow. -1: whoever is seen first, for as long as they are.")]
        public int personId = PersonChoice.Anybody;

        [Tooltip("Whether the avatar walks about. Off: it moves on the spot.")]
        public bool rootMotion = true;

        [Tooltip("Whether fingers follow, where they are sent. Off: the Animator moves them.")]
        public bool fingers = true;

        [Tooltip("Whether eyes and blend shapes with the names of ARKit's expressions follow, where a face is sent.")]
        public bool face = true;

        [Tooltip("Whether limbs that nobody sees are left to the Animator, for an idle or a seated clip. Off: as they are sent.")]
        public bool leaveUnseenLimbs = false;

        private readonly PersonChoice _choice = new PersonChoice();
        private readonly PersonPose _pose = new PersonPose();
        private readonly UnseenLimbs _limbs = new UnseenLimbs();
        private AvatarBones _bones;
        private FaceShapes _shapes;
        private AvatarFit _fit;
        private bool _hasPose;

        /// <summary>Whether the person is seen at present; false also while the sender bridges a short loss.</summary>
        public bool IsTracked { get; private set; }

        private void OnEnable()
        {
            if (animator == null) animator = GetComponent<Animator>();
            if (animator == null)
            {
                Refuse(name + " has no Animator; put this component on a Humanoid");
                return;
            }
            _bones = AvatarBones.Find(animator, out string problem);
            if (_bones == null)
            {
                Refuse(problem);
                return;
            }
            _fit = new AvatarFit(_bones.Rest);
            _shapes = new FaceShapes(animator);
            _limbs.Reset();
            _hasPose = false;
        }

        private void LateUpdate()
        {
            if (stream == null || stream.Skeleton == null) return;
            int? id = _choice.Choose(stream.Newest, personId);
            bool isSeen = id != null && stream.Sample(id.Value, _pose);
            IsTracked = isSeen && _pose.Valid;
            _hasPose |= isSeen;
            if (!_hasPose) return;
            if (isSeen) _fit.Update(stream.Skeleton, _pose);
            if (isSeen) _limbs.Update(_pose, Time.deltaTime);
            Apply(leaveUnseenLimbs ? _limbs.Follow : null); // again while nobody is seen: an Animator would move on
        }

        private void Apply(float[] follow)
        {
            _bones.Apply(_fit, rootMotion, follow);
            for (int side = 0; side < _pose.Hands.Length; side++)
                if (fingers && _pose.Hands[side].IsSent) _bones.ApplyFingers(_fit, side, Share(follow, UnseenLimbs.LeftFingers + side));
            if (!face || !_pose.Face.IsSent) return;
            _bones.ApplyEyes(_fit, Share(follow, UnseenLimbs.Face));
            _shapes.Apply(_pose.Face, Share(follow, UnseenLimbs.Face));
        }

        private static float Share(float[] follow, int part) => follow == null ? 1 : follow[part];

        private void Refuse(string problem)
        {
            Debug.LogError("tokenmocap: " + problem, this);
            enabled = false;
        }
    }
}
