using System;
using UnityEngine;

namespace TokenMocap.Unity
{
    /// <summary>
    /// Receives from one running tokenmocap. Any number of actors may use it; it is drained in Update, on Unity's thread.
    /// </summary>
    [AddComponentMenu("tokenmocap/Mocap Stream")]
    [DefaultExecutionOrder(-100)]
    public sealed class MocapStream : MonoBehaviour
    {
        [Tooltip("What the sender was given as --stream, for example ws://127.0.0.1:5556. Read when the component is enabled.")]
        public string address = "ws://127.0.0.1:5556";

        [Tooltip("Seconds that poses are held back so that late ones arrive in time. 0 shows the newest.")]
        [Range(0, 0.5f)]
        public float delay = 0.05f;

        private readonly JitterBuffer _buffer = new JitterBuffer();
        private Receiver _receiver;
        private string _reportedProblem;

        /// <summary>Called with every change that the sender tells.</summary>
        public event Action<StatusMessage> StatusChanged;

        /// <summary>Null until the sender has told it.</summary>
        public Skeleton Skeleton { get; private set; }

        /// <summary>The newest frame, or null: whom one could follow, and at what rate they come.</summary>
        public PoseMessage Newest => _buffer.Newest;

        public bool IsConnected => _receiver != null && _receiver.IsConnected;

        /// <summary>One line on what keeps messages away at present, or null.</summary>
        public string Problem { get; private set; }

        /// <summary>
        /// Writes where a person is now into `pose`, in the sender's frame; false, and nothing written, where they are
        /// not seen.
        /// </summary>
        public bool Sample(int id, PersonPose pose) => _buffer.Sample(id, Receiver.Now, pose);

        private void OnEnable()
        {
            _buffer.Clear();
            Skeleton = null;
            try
            {
                _receiver = new Receiver(address);
            }
            catch (AddressException error)
            {
                Report(error.Message);
            }
        }

        private void OnDisable()
        {
            if (_receiver != null) _receiver.Dispose();
            _receiver = null;
        }

        private void Update()
        {
            if (_receiver == null) return;
            _buffer.Delay = delay;
            while (_receiver.TryTake(out Arrival arrival))
            {
                if (arrival.Message is PoseMessage pose) _buffer.Add(pose, arrival.ReceivedAt);
                else if (arrival.Message is SkeletonMessage skeleton) Skeleton = skeleton.Skeleton;
                else if (arrival.Message is StatusMessage status) StatusChanged?.Invoke(status);
            }
            Report(_receiver.Problem);
        }

        private void Report(string problem)
        {
            Problem = problem;
            if (problem == null || problem == _reportedProblem) return;
            _reportedProblem = problem;
            Debug.LogWarning("tokenmocap: " + problem, this);
        }
    }
}
