using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Threading;
using TokenMocap;
using TokenMocap.Unity;
using UnityEngine;

/// <summary>
/// ActorWriter ADDRESS AVATAR OUT: plays the engine around the package's components. AVATAR has a line a transform:
/// name, parent's name or "-" for the root, Humanoid bone or "-", local position (3), rotation (4) and scale (3) of the
/// T-pose; or a mesh: "shapes", its transform's name, the weight at which a blend shape is whole, and their names. When
/// the stream's status is "ended", every bone's world position and rotation (xyzw) of the last pose is written to OUT, a
/// line a transform, then a line a blend shape: its name and weight.
/// </summary>
internal static class ActorWriter
{
    private static int Main(string[] arguments)
    {
        Setting.GiveUpLater();
        var transforms = new Dictionary<string, Transform>();
        var meshes = new List<SkinnedMeshRenderer>();
        Animator animator = Build(File.ReadAllLines(arguments[1]), transforms, meshes);
        Disturb(transforms);

        var stream = new GameObject("stream").AddComponent<MocapStream>();
        stream.address = arguments[0];
        stream.delay = 0;
        bool hasEnded = false;
        stream.StatusChanged += status => hasEnded |= status.State == "ended";
        var actor = animator.gameObject.AddComponent<HumanoidActor>();
        actor.stream = stream;

        Call(stream, "OnEnable");
        Call(actor, "OnEnable");
        bool isReady = false;
        while (!hasEnded)
        {
            Call(stream, "Update");
            Call(actor, "LateUpdate");
            if (!isReady && stream.Skeleton != null) Setting.Say("ready");
            isReady |= stream.Skeleton != null;
            Thread.Sleep(1);
        }
        Disturb(transforms); // as an Animator would between two frames
        Call(actor, "LateUpdate");
        Call(stream, "OnDisable");
        foreach (string line in Debug.Lines) Setting.Say(line);

        using (var output = new StreamWriter(arguments[2]))
        {
            foreach (KeyValuePair<string, Transform> named in transforms)
            {
                Vector3 p = named.Value.position;
                Quaternion q = named.Value.rotation;
                Setting.Write(output, named.Key, p.x, p.y, p.z, q.x, q.y, q.z, q.w);
            }
            foreach (SkinnedMeshRenderer mesh in meshes)
                for (int i = 0; i < mesh.sharedMesh.blendShapeCount; i++)
                    Setting.Write(output, mesh.sharedMesh.GetBlendShapeName(i), mesh.GetBlendShapeWeight(i));
        }
        return actor.enabled ? 0 : 1;
    }

    private static Animator Build(string[] lines, Dictionary<string, Transform> transforms, List<SkinnedMeshRenderer> meshes)
    {
        Animator animator = null;
        var tPose = new List<SkeletonBone>();
        foreach (string line in lines)
        {
            string[] words = line.Split(' ');
            if (words[0] == "shapes")
            {
                var mesh = transforms[words[1]].gameObject.AddComponent<SkinnedMeshRenderer>();
                string[] names = new ArraySegment<string>(words, 3, words.Length - 3).ToArray();
                mesh.sharedMesh = new Mesh(names, float.Parse(words[2], CultureInfo.InvariantCulture));
                meshes.Add(mesh);
                continue;
            }
            float[] n = Array.ConvertAll(words, w => float.TryParse(w, NumberStyles.Float, CultureInfo.InvariantCulture, out float f) ? f : 0);
            Transform t = new GameObject(words[0]).transform;
            t.localPosition = new Vector3(n[3], n[4], n[5]);
            t.localRotation = new Quaternion(n[6], n[7], n[8], n[9]);
            t.localScale = new Vector3(n[10], n[11], n[12]);
            transforms[words[0]] = t;
            if (words[1] == "-")
            {
                animator = t.gameObject.AddComponent<Animator>();
                continue;
            }
            t.SetParent(transforms[words[1]], false);
            tPose.Add(new SkeletonBone { name = t.name, position = t.localPosition, rotation = t.localRotation, scale = t.localScale });
            if (words[2] != "-") animator.Bones[(HumanBodyBones)Enum.Parse(typeof(HumanBodyBones), words[2])] = t;
        }
        animator.avatar = new Avatar
        {
            isValid = true,
            isHuman = true,
            humanDescription = new HumanDescription { skeleton = tPose.ToArray() },
        };
        return animator;
    }

    /// <summary>Leaves the T-pose: only the avatar's description tells it from here on.</summary>
    private static void Disturb(Dictionary<string, Transform> transforms)
    {
        foreach (Transform t in transforms.Values)
            if (t.name.StartsWith("bone_")) t.localRotation = t.localRotation * new Quaternion(0.5f, -0.5f, 0.5f, 0.5f);
    }

    /// <summary>As the engine does: disabled components get no messages.</summary>
    private static void Call(MonoBehaviour component, string message)
    {
        if (!component.enabled) return;
        component.GetType().GetMethod(message, BindingFlags.Instance | BindingFlags.NonPublic).Invoke(component, null);
    }
}
