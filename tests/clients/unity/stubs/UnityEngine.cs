// The part of UnityEngine that the package uses, enough to compile it and, where a member has a body, to run it:
// transforms, their algebra and an Animator's bones. What needs a real engine throws.
using System;
using System.Collections.Generic;

namespace UnityEngine
{
    public class AddComponentMenu : Attribute { public AddComponentMenu(string path) { } }
    public class DefaultExecutionOrder : Attribute { public DefaultExecutionOrder(int order) { } }
    public class DisallowMultipleComponent : Attribute { }
    public class TooltipAttribute : Attribute { public TooltipAttribute(string text) { } }
    public class RangeAttribute : Attribute { public RangeAttribute(float min, float max) { } }

    public class Object
    {
        public string name { get; set; }
    }

    public class Component : Object
    {
        public GameObject gameObject { get; internal set; }
        public Transform transform => gameObject.transform;
        public T GetComponent<T>() where T : Component => gameObject.GetComponent<T>();

        public T[] GetComponentsInChildren<T>(bool includeInactive) where T : Component
        {
            var found = new List<T>();
            transform.Collect(found);
            return found.ToArray();
        }
    }

    public class Behaviour : Component
    {
        public bool enabled { get; set; } = true;
    }

    public class MonoBehaviour : Behaviour { }

    public sealed class GameObject : Object
    {
        private readonly List<Component> _components = new List<Component>();

        public GameObject(string name)
        {
            this.name = name;
            transform = AddComponent<Transform>();
        }

        public Transform transform { get; }

        public T AddComponent<T>() where T : Component, new()
        {
            var component = new T { gameObject = this, name = name };
            _components.Add(component);
            return component;
        }

        public T GetComponent<T>() where T : Component => (T)_components.Find(component => component is T);
        public void SetActive(bool active) { throw new NotSupportedException(); }
        public static GameObject CreatePrimitive(PrimitiveType type) { throw new NotSupportedException(); }
    }

    public enum PrimitiveType { Plane }

    public sealed class Transform : Component
    {
        private readonly List<Transform> _children = new List<Transform>();

        public Transform parent { get; private set; }
        public Vector3 localPosition { get; set; } = Vector3.zero;
        public Quaternion localRotation { get; set; } = Quaternion.identity;
        public Vector3 localScale { get; set; } = new Vector3(1, 1, 1);

        public void SetParent(Transform newParent, bool worldPositionStays)
        {
            parent = newParent;
            newParent._children.Add(this);
        }

        internal void Collect<T>(List<T> found) where T : Component
        {
            T component = GetComponent<T>();
            if (component != null) found.Add(component);
            foreach (Transform child in _children) child.Collect(found);
        }

        public Quaternion rotation
        {
            get { return parent == null ? localRotation : parent.rotation * localRotation; }
            set { localRotation = parent == null ? value : Quaternion.Inverse(parent.rotation) * value; }
        }

        public Vector3 position
        {
            get { return parent == null ? localPosition : parent.TransformPoint(localPosition); }
            set { localPosition = parent == null ? value : parent.InverseTransformPoint(value); }
        }

        public Vector3 TransformPoint(Vector3 p)
        {
            Vector3 placed = localRotation * Vector3.Scale(localScale, p) + localPosition;
            return parent == null ? placed : parent.TransformPoint(placed);
        }

        public Vector3 InverseTransformPoint(Vector3 p)
        {
            if (parent != null) p = parent.InverseTransformPoint(p);
            Vector3 turned = Quaternion.Inverse(localRotation) * (p - localPosition);
            return new Vector3(turned.x / localScale.x, turned.y / localScale.y, turned.z / localScale.z);
        }
    }

    public struct Vector3
    {
        public float x, y, z;
        public Vector3(float x, float y, float z) { this.x = x; this.y = y; this.z = z; }
        public static Vector3 zero => new Vector3(0, 0, 0);
        public static Vector3 Scale(Vector3 a, Vector3 b) => new Vector3(a.x * b.x, a.y * b.y, a.z * b.z);
        public static Vector3 operator +(Vector3 a, Vector3 b) => new Vector3(a.x + b.x, a.y + b.y, a.z + b.z);
        public static Vector3 operator -(Vector3 a, Vector3 b) => new Vector3(a.x - b.x, a.y - b.y, a.z - b.z);
        public static Vector3 operator *(Vector3 a, float s) => new Vector3(a.x * s, a.y * s, a.z * s);
    }

    public struct Quaternion
    {
        public float x, y, z, w;
        public Quaternion(float x, float y, float z, float w) { this.x = x; this.y = y; this.z = z; this.w = w; }
        public static Quaternion identity => new Quaternion(0, 0, 0, 1);
        public static Quaternion Inverse(Quaternion q) => new Quaternion(-q.x, -q.y, -q.z, q.w);
        public static Quaternion Slerp(Quaternion a, Quaternion b, float t)
        {
            var q = System.Numerics.Quaternion.Slerp(new System.Numerics.Quaternion(a.x, a.y, a.z, a.w),
                new System.Numerics.Quaternion(b.x, b.y, b.z, b.w), t);
            return new Quaternion(q.X, q.Y, q.Z, q.W);
        }

        public static Quaternion Euler(float x, float y, float z) { throw new NotSupportedException(); }

        public static Quaternion operator *(Quaternion a, Quaternion b) => new Quaternion(
            a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
            a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x,
            a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w,
            a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z);

        public static Vector3 operator *(Quaternion q, Vector3 v)
        {
            Quaternion turned = q * new Quaternion(v.x, v.y, v.z, 0) * Inverse(q);
            return new Vector3(turned.x, turned.y, turned.z);
        }
    }

    public struct Matrix4x4
    {
        private Vector3 _x, _y, _z, _t; // columns of an affine map

        public static Matrix4x4 identity => TRS(Vector3.zero, Quaternion.identity, new Vector3(1, 1, 1));

        public static Matrix4x4 TRS(Vector3 t, Quaternion q, Vector3 s) => new Matrix4x4
        {
            _x = q * new Vector3(s.x, 0, 0), _y = q * new Vector3(0, s.y, 0), _z = q * new Vector3(0, 0, s.z), _t = t,
        };

        public Vector3 MultiplyPoint3x4(Vector3 p) => _x * p.x + _y * p.y + _z * p.z + _t;

        public static Matrix4x4 operator *(Matrix4x4 a, Matrix4x4 b) => new Matrix4x4
        {
            _x = a.MultiplyPoint3x4(b._x) - a._t,
            _y = a.MultiplyPoint3x4(b._y) - a._t,
            _z = a.MultiplyPoint3x4(b._z) - a._t,
            _t = a.MultiplyPoint3x4(b._t),
        };
    }

    public enum HumanBodyBones
    {
        Hips, LeftUpperLeg, RightUpperLeg, LeftLowerLeg, RightLowerLeg, LeftFoot, RightFoot, Spine, Chest, Neck, Head,
        LeftShoulder, RightShoulder, LeftUpperArm, RightUpperArm, LeftLowerArm, RightLowerArm, LeftHand, RightHand,
        LeftToes, RightToes, LeftEye, RightEye, Jaw,
        LeftThumbProximal, LeftThumbIntermediate, LeftThumbDistal, LeftIndexProximal, LeftIndexIntermediate, LeftIndexDistal,
        LeftMiddleProximal, LeftMiddleIntermediate, LeftMiddleDistal, LeftRingProximal, LeftRingIntermediate, LeftRingDistal,
        LeftLittleProximal, LeftLittleIntermediate, LeftLittleDistal,
        RightThumbProximal, RightThumbIntermediate, RightThumbDistal, RightIndexProximal, RightIndexIntermediate, RightIndexDistal,
        RightMiddleProximal, RightMiddleIntermediate, RightMiddleDistal, RightRingProximal, RightRingIntermediate, RightRingDistal,
        RightLittleProximal, RightLittleIntermediate, RightLittleDistal,
        UpperChest = 54,
    }

    public struct SkeletonBone
    {
        public string name;
        public Vector3 position;
        public Quaternion rotation;
        public Vector3 scale;
    }

    public struct HumanDescription
    {
        public SkeletonBone[] skeleton;
    }

    public sealed class Avatar : Object
    {
        public bool isValid { get; set; }
        public bool isHuman { get; set; }
        public HumanDescription humanDescription { get; set; }
    }

    public sealed class Animator : Behaviour
    {
        public readonly Dictionary<HumanBodyBones, Transform> Bones = new Dictionary<HumanBodyBones, Transform>();
        public Avatar avatar { get; set; }
        public Transform GetBoneTransform(HumanBodyBones bone) => Bones.TryGetValue(bone, out Transform t) ? t : null;
    }

    public sealed class Mesh : Object
    {
        private readonly string[] _names;
        private readonly float _fullWeight;

        public Mesh(string[] names, float fullWeight)
        {
            _names = names;
            _fullWeight = fullWeight;
        }

        public int blendShapeCount => _names.Length;
        public string GetBlendShapeName(int shape) => _names[shape];
        public int GetBlendShapeFrameCount(int shape) => 2;
        public float GetBlendShapeFrameWeight(int shape, int frame) => frame == 1 ? _fullWeight : _fullWeight / 2;
    }

    public sealed class SkinnedMeshRenderer : Component
    {
        private readonly Dictionary<int, float> _weights = new Dictionary<int, float>();
        public Mesh sharedMesh { get; set; }
        public float GetBlendShapeWeight(int shape) => _weights.TryGetValue(shape, out float weight) ? weight : 0;
        public void SetBlendShapeWeight(int shape, float weight) { _weights[shape] = weight; }
    }

    public static class Debug
    {
        public static readonly List<string> Lines = new List<string>();
        public static void LogWarning(object message, Object context) { Lines.Add("warning: " + message); }
        public static void LogError(object message, Object context) { Lines.Add("error: " + message); }
    }

    // Only the sample needs what follows, which a test compiles and does not run.

    public static class Time { public static float deltaTime { get; set; } }

    public static class Application { public static bool runInBackground { get; set; } }

    public sealed class Camera : Behaviour { public static Camera main => null; }

    public sealed class Shader : Object { public static Shader Find(string name) { throw new NotSupportedException(); } }

    public sealed class Material : Object { public Material(Shader shader) { } }

    public struct Color
    {
        public Color(float r, float g, float b) { }
        public static Color white => new Color(1, 1, 1);
    }

    public struct Rect { public Rect(float x, float y, float width, float height) { } }

    public static class GUI { public static void Label(Rect position, string text) { throw new NotSupportedException(); } }

    public sealed class LineRenderer : Component
    {
        public bool enabled { get; set; }
        public bool useWorldSpace { get; set; }
        public int positionCount { get; set; }
        public float startWidth { get; set; }
        public float endWidth { get; set; }
        public Color startColor { get; set; }
        public Color endColor { get; set; }
        public Material sharedMaterial { get; set; }
        public void SetPosition(int index, Vector3 position) { throw new NotSupportedException(); }
    }
}
