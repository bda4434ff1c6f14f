using System.Collections.Generic;
using TokenMocap.Unity;
using UnityEngine;

namespace TokenMocap.Samples
{
    /// <summary>
    /// Put this on an empty object in an empty scene and press Play: a floor, a camera that looks at it, a stick figure
    /// of everybody who is seen, and your Humanoids, who all follow whoever was there first.
    /// </summary>
    public sealed class LiveAvatarScene : MonoBehaviour
    {
        private const float Aside = 1.5f; // metres from the stick figures to the avatars' place

        [Tooltip("What tokenmocap was given as --stream.")]
        public string address = "ws://127.0.0.1:5556";

        [Tooltip("Humanoids of the scene that shall move along; none is needed.")]
        public Animator[] avatars = new Animator[0];

        private readonly Dictionary<int, StickFigure> _figures = new Dictionary<int, StickFigure>();
        private MocapStream _stream;
        private Material _material;

        private void Awake()
        {
            Application.runInBackground = true; // the person before the camera has no hand on the mouse
            _material = new Material(Shader.Find("Sprites/Default")); // there in every render pipeline
            GameObject.CreatePrimitive(PrimitiveType.Plane).transform.position = Vector3.zero;
            Look(Camera.main);
            _stream = MakeStream();
            foreach (Animator animator in avatars) Drive(animator);
        }

        private void Update()
        {
            if (_stream.Newest == null) return;
            foreach (PersonPose person in _stream.Newest.People)
                if (!_figures.ContainsKey(person.Id)) _figures[person.Id] = MakeFigure(person.Id);
        }

        private void OnGUI()
        {
            PoseMessage newest = _stream.Newest;
            string text = _stream.Problem
                ?? (newest == null ? "waiting for " + address : newest.People.Length + " seen, " + newest.Fps.ToString("F1") + " fps");
            GUI.Label(new Rect(10, 10, 800, 30), text);
        }

        private MocapStream MakeStream()
        {
            var holder = new GameObject("Mocap Stream");
            holder.SetActive(false); // so that the address is there when the component is enabled
            MocapStream stream = holder.AddComponent<MocapStream>();
            stream.address = address;
            holder.SetActive(true);
            return stream;
        }

        private void Drive(Animator animator)
        {
            HumanoidActor actor = animator.GetComponent<HumanoidActor>();
            if (actor == null) actor = animator.gameObject.AddComponent<HumanoidActor>();
            actor.stream = _stream;
        }

        private StickFigure MakeFigure(int id)
        {
            var holder = new GameObject("Person " + id);
            holder.transform.position = new Vector3(-Aside, 0, 0);
            StickFigure figure = holder.AddComponent<StickFigure>();
            figure.stream = _stream;
            figure.personId = id;
            figure.material = _material;
            return figure;
        }

        /// <summary>From before the person, as their camera sees them: they face +Z.</summary>
        private static void Look(Camera camera)
        {
            if (camera == null) camera = new GameObject("Camera").AddComponent<Camera>();
            camera.transform.position = new Vector3(0, 1.3f, 4);
            camera.transform.rotation = Quaternion.Euler(5, 180, 0);
        }
    }
}
